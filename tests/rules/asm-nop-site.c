// A no-operation that ends where alignment would end is none of the assembler's fill where a table leads to it: the kernel
// writes a branch over it. Without it, the same entry leads to the instruction behind it.
//# expect: function f changed code | function f changed code,references,unwinding
#define TABLE ".pushsection __jump_table,\"aw\"\n.long 1b - .\n.long 0\n.quad 0\n.popsection"
#define KEY asm volatile(".p2align 4\nmov %%eax, %%eax\nmov %%eax, %%eax\nmov %%ecx, %%ecx\nmov %%ecx, %%ecx\n" \
                         "mov %%edx, %%edx\ncld\n1: .byte 0x0f, 0x1f, 0x44, 0, 0\n" TABLE ::)
#define BARE asm volatile(".p2align 4\nmov %%eax, %%eax\nmov %%eax, %%eax\nmov %%ecx, %%ecx\nmov %%ecx, %%ecx\n" \
                          "mov %%edx, %%edx\ncld\n1:\n" TABLE ::)
void ext(void);
void g(void) { ext(); KEY; ext(); }
#ifdef AFTER
void f(void) { ext(); BARE; ext(); }
#else
void f(void) { ext(); KEY; ext(); }
#endif
void h(void) { ext(); KEY; ext(); }
