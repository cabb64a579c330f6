// Two entries of a jump table change places; what they lead to begins alike, and its order stays.
//# expect: function f changed tables
#ifdef AFTER
#define SECOND 3b
#define THIRD 2b
#else
#define SECOND 2b
#define THIRD 3b
#endif
    .text
    .globl f
    .type f, @function
f:  movslq %edi, %rdi
    leaq .Ltable(%rip), %rdx
    movslq (%rdx,%rdi,4), %rax
    addq %rdx, %rax
    jmp *%rax
1:  movl $1, %edi
    jmp ext
2:  movl $1, %edi
    jmp other
3:  movl $1, %edi
    ret
    .size f, .-f
    .globl g
    .type g, @function
g:  movl $7, %eax
    ret
    .size g, .-g
    .section .rodata
    .balign 4
.Lcount:
    .long 3
.Ltable:
    .long 1b - .Ltable, SECOND - .Ltable, THIRD - .Ltable
