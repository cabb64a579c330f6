//! Moves and comparisons of bytes, where the program is linked with musl.
//!
//! Nearly all that are asked for here are short: a few bytes of a stream, a name, a list of ten instructions. musl's
//! `memcpy` begins each with a repeated string instruction, which takes long before the first byte, and its `memcmp` goes byte
//! by byte: measured, a seventh of the time in which SQLite is shown, though an instruction counter sees next to nothing. To
//! ask for fewer would turn every `extend_from_slice` into a trick; these routines, which the linker takes before those of the
//! library, make them what they look like. (glibc's are quick, but a program linked with musl starts sooner: `scripts/build`.)
//!
//! They are in assembler because a compiler may turn any loop that copies into a call of `memcpy`, its own too. All loads of a
//! short move come before its stores, so that it may overlap; a long one loads its last bytes first. Nothing is read or
//! written outside of what is asked, and no register is used that a caller may keep (System V psABI for x86-64, 3.2.1).

/// Both routines under these names: `copy` moves `rdx` bytes from `rsi` to `rdi`, which may overlap, and gives `rdi`; `compare`
/// tells the order of `rdx` bytes at `rdi` and at `rsi`, as a number below, equal to or above zero.
macro_rules! routines {
    ($copy:literal, $overlapping:literal, $compare:literal) => {
        std::arch::global_asm!(
            ".pushsection .text.lpcc_bytes,\"ax\",@progbits",
            ".p2align 5",
            concat!(".globl ", $copy),
            concat!(".globl ", $overlapping),
            concat!(".type ", $copy, ",@function"),
            concat!(".type ", $overlapping, ",@function"),
            concat!($copy, ":"),
            concat!($overlapping, ":"),
            "mov rax, rdi",
            "cmp rdx, 16",
            "jae 30f",
            // The first and the last half of up to 15 bytes, which overlap in the middle.
            "cmp edx, 8",
            "jb 10f",
            "mov rcx, [rsi]",
            "mov r8, [rsi + rdx - 8]",
            "mov [rdi], rcx",
            "mov [rdi + rdx - 8], r8",
            "ret",
            "10:",
            "cmp edx, 4",
            "jb 20f",
            "mov ecx, [rsi]",
            "mov r8d, [rsi + rdx - 4]",
            "mov [rdi], ecx",
            "mov [rdi + rdx - 4], r8d",
            "ret",
            "20:",
            "test edx, edx",
            "jz 21f",
            // The first, the middle and the last of up to three.
            "movzx ecx, byte ptr [rsi]",
            "movzx r8d, byte ptr [rsi + rdx - 1]",
            "mov r9d, edx",
            "shr r9d, 1",
            "movzx r10d, byte ptr [rsi + r9]",
            "mov [rdi], cl",
            "mov [rdi + r9], r10b",
            "mov [rdi + rdx - 1], r8b",
            "21:",
            "ret",
            ".p2align 4",
            "30:",
            "movdqu xmm0, [rsi]",
            "movdqu xmm1, [rsi + rdx - 16]",
            "cmp rdx, 32",
            "ja 40f",
            "movdqu [rdi], xmm0",
            "movdqu [rdi + rdx - 16], xmm1",
            "ret",
            "40:",
            "movdqu xmm2, [rsi + 16]",
            "movdqu xmm3, [rsi + rdx - 32]",
            "cmp rdx, 64",
            "ja 50f",
            "movdqu [rdi], xmm0",
            "movdqu [rdi + 16], xmm2",
            "movdqu [rdi + rdx - 32], xmm3",
            "movdqu [rdi + rdx - 16], xmm1",
            "ret",
            "50:",
            // 64 at a time. If the target begins inside of the source, from behind.
            "mov rcx, rdi",
            "sub rcx, rsi",
            "cmp rcx, rdx",
            "jb 60f",
            "movdqu xmm2, [rsi + rdx - 48]",
            "movdqu xmm0, [rsi + rdx - 64]",
            "lea r8, [rdi + rdx - 64]",
            "51:",
            "movdqu xmm4, [rsi]",
            "movdqu xmm5, [rsi + 16]",
            "movdqu xmm6, [rsi + 32]",
            "movdqu xmm7, [rsi + 48]",
            "movdqu [rdi], xmm4",
            "movdqu [rdi + 16], xmm5",
            "movdqu [rdi + 32], xmm6",
            "movdqu [rdi + 48], xmm7",
            "add rsi, 64",
            "add rdi, 64",
            "cmp rdi, r8",
            "jb 51b",
            "movdqu [r8], xmm0",
            "movdqu [r8 + 16], xmm2",
            "movdqu [r8 + 32], xmm3",
            "movdqu [r8 + 48], xmm1",
            "ret",
            "60:",
            "movdqu xmm1, [rsi + 32]",
            "movdqu xmm3, [rsi + 48]",
            "lea rcx, [rdi + 64]",
            "61:",
            "movdqu xmm4, [rsi + rdx - 64]",
            "movdqu xmm5, [rsi + rdx - 48]",
            "movdqu xmm6, [rsi + rdx - 32]",
            "movdqu xmm7, [rsi + rdx - 16]",
            "movdqu [rdi + rdx - 64], xmm4",
            "movdqu [rdi + rdx - 48], xmm5",
            "movdqu [rdi + rdx - 32], xmm6",
            "movdqu [rdi + rdx - 16], xmm7",
            "sub rdx, 64",
            "cmp rdx, 64",
            "ja 61b",
            "movdqu [rdi], xmm0",
            "movdqu [rdi + 16], xmm2",
            "movdqu [rdi + 32], xmm1",
            "movdqu [rdi + 48], xmm3",
            "ret",
            concat!(".size ", $copy, ", . - ", $copy),
            concat!(".size ", $overlapping, ", . - ", $overlapping),
            ".p2align 4",
            concat!(".globl ", $compare),
            concat!(".type ", $compare, ",@function"),
            concat!($compare, ":"),
            "cmp rdx, 8",
            "jb 80f",
            "70:",
            "mov rax, [rdi]",
            "mov rcx, [rsi]",
            "cmp rax, rcx",
            "jne 79f",
            "add rdi, 8",
            "add rsi, 8",
            "sub rdx, 8",
            "cmp rdx, 8",
            "jae 70b",
            "xor eax, eax",
            "test edx, edx",
            "jz 71f",
            // The last eight, some of which are known to be equal.
            "mov rax, [rdi + rdx - 8]",
            "mov rcx, [rsi + rdx - 8]",
            "cmp rax, rcx",
            "jne 79f",
            "xor eax, eax",
            "71:",
            "ret",
            "79:",
            // The first byte that differs counts most.
            "bswap rax",
            "bswap rcx",
            "cmp rax, rcx",
            "sbb eax, eax",
            "or eax, 1",
            "ret",
            "80:",
            "test edx, edx",
            "jz 82f",
            "xor r8d, r8d",
            "81:",
            "movzx eax, byte ptr [rdi + r8]",
            "movzx ecx, byte ptr [rsi + r8]",
            "sub eax, ecx",
            "jne 83f",
            "inc r8",
            "cmp r8, rdx",
            "jb 81b",
            "82:",
            "xor eax, eax",
            "83:",
            "ret",
            concat!(".size ", $compare, ", . - ", $compare),
            ".popsection",
        );
    };
}

#[cfg(all(target_env = "musl", not(test)))]
routines!("memcpy", "memmove", "memcmp");

#[cfg(test)]
mod tests {
    routines!("lpcc_tried_memcpy", "lpcc_tried_memmove", "lpcc_tried_memcmp");

    unsafe extern "C" {
        fn lpcc_tried_memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8;
        fn lpcc_tried_memcmp(one: *const u8, other: *const u8, length: usize) -> i32;
    }

    /// Lengths on both sides of every border, and some that take several turns.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..=200).chain([255, 256, 257, 1000, 4096])
    }

    #[test]
    fn bytes_are_moved_as_the_language_moves_them() {
        for length in lengths() {
            for (from, to) in (0..70).flat_map(|from| [(from, 70), (70, from), (from, 70 + length)]) {
                let mut moved: Vec<u8> = (0..140 + 2 * length).map(|at| (at * 31 % 251) as u8).collect();
                let mut expected = moved.clone();
                expected.copy_within(from..from + length, to);
                let start = moved.as_mut_ptr();
                // SAFETY: both ranges lie in `moved`.
                let given = unsafe { lpcc_tried_memmove(start.add(to), start.add(from), length) };
                assert_eq!(given.addr(), start.addr() + to);
                assert!(moved == expected, "{length} bytes from {from} to {to}");
            }
        }
    }

    #[test]
    fn bytes_are_ordered_as_the_language_orders_them() {
        for length in lengths() {
            let one: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
            let changes = (0..length).flat_map(|at| [(at, 1), (at, 0x80), (at, 0xff)]);
            for (at, by) in changes.chain([(length, 0)]) {
                let mut other = one.clone();
                if let Some(byte) = other.get_mut(at) {
                    *byte ^= by;
                }
                // Behind what differs first, the order says something else.
                other.iter_mut().skip(at + 1).for_each(|byte| *byte = !*byte);
                // SAFETY: both have so many bytes.
                let order = unsafe { lpcc_tried_memcmp(one.as_ptr(), other.as_ptr(), length) };
                assert_eq!(order.cmp(&0), one.cmp(&other), "{length} bytes, {at} by {by}");
            }
        }
    }
}
