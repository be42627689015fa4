//! Hands the runtime's object to the linker: `LITHIFY_OBJECT` is its absolute path, made for the
//! machine that this program is built for.

fn main() {
    println!("cargo::rerun-if-env-changed=LITHIFY_OBJECT");
    match std::env::var("LITHIFY_OBJECT") {
        Ok(object) => {
            println!("cargo::rerun-if-changed={object}");
            println!("cargo::rustc-link-arg-bins={object}");
        }
        Err(_) => println!(
            "cargo::error=LITHIFY_OBJECT is not set: make an object with \
             `lithify compile RUNTIME --emit obj -o runtime.o` and give its absolute path"
        ),
    }
}
