//! Sums of what a loop gets from outside: what indices and counters are.

use cranelift_codegen::{
    cursor::FuncCursor,
    ir::{InstBuilder, Value, types::I32},
};

/// A 32-bit sum of values, each with a factor, and a constant, wrapping around like them.
#[derive(Clone, PartialEq, Eq)]
pub struct Sum {
    /// In the order of the values.
    pub terms: Vec<(Value, i32)>,
    /// What is added to them.
    pub constant: i32,
}

impl Sum {
    /// A constant alone.
    pub fn constant(constant: i32) -> Self {
        Self { terms: vec![], constant }
    }

    /// `self + factor * other`.
    pub fn plus(mut self, factor: i32, other: &Self) -> Self {
        for (value, times) in &other.terms {
            let times = times.wrapping_mul(factor);
            match self.terms.binary_search_by_key(value, |(value, _)| *value) {
                Ok(at) => self.terms[at].1 = self.terms[at].1.wrapping_add(times),
                Err(at) => self.terms.insert(at, (*value, times)),
            }
        }
        self.terms.retain(|(_, times)| *times != 0);
        self.constant = self.constant.wrapping_add(other.constant.wrapping_mul(factor));
        self
    }

    /// `self + by`.
    pub fn offset(mut self, by: i32) -> Self {
        self.constant = self.constant.wrapping_add(by);
        self
    }

    /// Emits it, with `at` in the place of the loop's parameters.
    pub fn emit(&self, pos: &mut FuncCursor<'_>, at: &Values<'_>) -> Value {
        let terms: Vec<Value> = (self.terms.iter())
            .map(|(value, times)| {
                let value = at.get(*value);
                match times {
                    1 => value,
                    _ => pos.ins().imul_imm_s(value, i64::from(*times)),
                }
            })
            .collect();
        let sum = terms.into_iter().reduce(|a, b| pos.ins().iadd(a, b));
        match sum {
            Some(sum) if self.constant == 0 => sum,
            Some(sum) => pos.ins().iadd_imm_s(sum, i64::from(self.constant)),
            None => pos.ins().iconst(I32, i64::from(self.constant as u32)),
        }
    }
}

/// What the loop's parameters are somewhere else.
pub struct Values<'a> {
    /// The parameters.
    pub params: &'a [Value],
    /// What each is there.
    pub here: &'a [Value],
}

impl Values<'_> {
    /// A value of the loop there: a parameter's is another one.
    pub fn get(&self, value: Value) -> Value {
        let param = self.params.iter().position(|param| *param == value);
        param.map_or(value, |i| self.here[i])
    }
}
