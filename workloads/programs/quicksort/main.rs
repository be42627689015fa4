//! Sorts ten integers: the smallest program of the study, in which starting is all that there is.

fn main() {
    let mut list = [31, 41, 59, 26, 53, 58, 97, 93, 23, 84];
    show("unsorted:", &list);
    quicksort(&mut list);
    show("sorted:", &list);
}

fn quicksort(list: &mut [i32]) {
    if list.len() < 2 {
        return;
    }
    let pivot = list[list.len() / 2];
    let (mut left, mut right) = (0, list.len());
    while left < right {
        if list[left] < pivot {
            left += 1;
        } else if list[right - 1] > pivot {
            right -= 1;
        } else {
            list.swap(left, right - 1);
            left += 1;
            right -= 1;
        }
    }
    quicksort(&mut list[..right]);
    quicksort(&mut list[left..]);
}

fn show(what: &str, list: &[i32]) {
    let numbers: Vec<String> = list.iter().map(i32::to_string).collect();
    println!("{what} {}", numbers.join(" "));
}
