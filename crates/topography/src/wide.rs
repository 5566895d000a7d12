//! Inner loops built a second time for the wide registers that nearly every processor has.
//!
//! The program is built for the oldest processors of its kind, two numbers to a register. A loop over independent numbers gives
//! the same bits four abreast, only sooner.

/// A function whose loops are also built for AVX2 and run that way where the processor has it.
///
/// What it calls must be inlined into it.
///
/// ```
/// topography::wide! {
///     fn scaled(values: &mut [f32], factor: f32) {
///         values.iter_mut().for_each(|value| *value *= factor);
///     }
/// }
/// let mut values = [1.0, 2.0];
/// scaled(&mut values, 3.0);
/// assert_eq!(values, [3.0, 6.0]);
/// ```
#[macro_export]
macro_rules! wide {
    ($(#[$about:meta])* fn $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)? $body:block) => {
        $(#[$about])*
        fn $name($($argument: $kind),*) $(-> $result)? {
            // It must take on the instructions of what it is built into.
            #[inline(always)]
            fn plain($($argument: $kind),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn four_abreast($($argument: $kind),*) $(-> $result)? {
                    plain($($argument),*)
                }
                if is_x86_feature_detected!("avx2") {
                    #[expect(unsafe_code, reason = "the compiler cannot see that the processor was asked just before")]
                    // SAFETY: the processor has the instructions that the function was built for.
                    return unsafe { four_abreast($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    };
}
