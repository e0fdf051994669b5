//! Long lists of numbers sorted by their digits, short ones by comparing them.

/// Sorts a list by numbers that belong to its entries, ascending. Of entries with equal numbers either may come first
/// where the list is short.
pub(crate) fn sort_by<T, K: radsort::Key + Ord>(list: &mut [T], number: impl Fn(&T) -> K) {
    /// Counting digits takes as long as comparing so many numbers.
    const SHORT: usize = 512;
    if list.len() < SHORT {
        list.sort_unstable_by_key(number);
    } else {
        radsort::sort_by_key(list, number);
    }
}
