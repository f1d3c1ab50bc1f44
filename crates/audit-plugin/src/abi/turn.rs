//! [`Turn`]: memory that one thread at a time uses, which is nearly always the same one.

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

/// As a mutex without poison, whose waiters take turns instead of being woken: to let go of it costs nothing.
///
/// The host extracts on one thread, some 200 times for an event, and nobody else waits; a mutex would be a seventh
/// of such a call.
#[derive(Default)]
pub(crate) struct Turn<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: as of a mutex: whoever shares it gets the value as `&mut`, one at a time.
unsafe impl<T: Send> Sync for Turn<T> {}

impl<T> Turn<T> {
    /// Waits for the turn of this thread.
    #[inline]
    pub(crate) fn take(&self) -> Taken<'_, T> {
        while self.taken.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        Taken { turn: self }
    }
}

impl<T> fmt::Debug for Turn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// The turn of this thread, until it is dropped, also by a panic.
pub(crate) struct Taken<'t, T> {
    turn: &'t Turn<T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `taken` was false and is true since, so this is the only `Taken`.
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
        self.turn.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn one_at_a_time() {
        let turn = Turn::<usize>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        *turn.take() += 1;
                    }
                });
            }
        });
        assert_eq!(*turn.take(), 4000);
    }

    #[test]
    fn a_panic_lets_go() {
        let turn = Turn::<usize>::default();
        let panicking = AssertUnwindSafe(|| {
            *turn.take() = 1;
            let _taken = turn.take();
            panic!("told to");
        });
        assert!(catch_unwind(panicking).is_err());
        assert_eq!(*turn.take(), 1);
    }
}
