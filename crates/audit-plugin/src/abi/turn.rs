//! [`Turn`]: memory that is used by one call at a time, because the host promises no other.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a call uses alone. No lock: the host extracts 200 times for an event, and what makes a lock safe, that all
/// stores before it are done, would take a tenth of that time.
///
/// A call within a call is refused. Calls at the same time cannot all be seen, and are for the host to leave out.
#[derive(Default)]
pub(crate) struct Turn<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by `take` alone, whose callers promise that no other thread does at the same time.
unsafe impl<T: Send> Sync for Turn<T> {}

impl<T> Turn<T> {
    /// The value, for this call; `None` while another one has it.
    ///
    /// # Safety
    /// No other thread is within this function, or has what it gave, at the same time; and threads that follow each
    /// other are ordered by the caller, as by a lock.
    #[inline]
    pub(crate) unsafe fn take(&self) -> Option<Taken<'_, T>> {
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        Some(Taken { turn: self, own: PhantomData })
    }
}

impl<T> fmt::Debug for Turn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// The turn of this call, until it is dropped, also by a panic.
pub(crate) struct Taken<'t, T> {
    turn: &'t Turn<T>,
    /// It stays on its thread.
    own: PhantomData<*mut T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `taken` was false and is true since, so on this thread this is the only `Taken`; of others there is
        // none, as whoever took it has promised.
        unsafe { &*self.turn.value.get() }
    }
}

impl<T> DerefMut for Taken<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and it is borrowed for writing.
        unsafe { &mut *self.turn.value.get() }
    }
}

impl<T> Drop for Taken<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.turn.taken.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Of a test's only thread.
    fn take(turn: &Turn<usize>) -> Option<Taken<'_, usize>> {
        // SAFETY: there is no other thread.
        unsafe { turn.take() }
    }

    #[test]
    fn one_at_a_time() {
        let turn = Turn::default();
        let mut first = take(&turn).unwrap();
        *first += 1;
        assert!(take(&turn).is_none());
        drop(first);
        assert_eq!(*take(&turn).unwrap(), 1);
    }

    #[test]
    fn a_panic_lets_go() {
        let turn = Turn::default();
        let panicking = AssertUnwindSafe(|| {
            let mut taken = take(&turn).unwrap();
            *taken = 1;
            panic!("told to");
        });
        assert!(catch_unwind(panicking).is_err());
        assert_eq!(*take(&turn).unwrap(), 1);
    }
}
