// As asm-nop-site.c, and the table is read by the code itself: distances from each entry's own place, side by side as those of a
// jump table are.
//# expect: function f changed code | function f changed code,references,unwinding
#define TABLE ".pushsection .rodata.places,\"a\"\n.long 1b - .\n.popsection"
#define KEY asm volatile(".p2align 4\nmov %%eax, %%eax\nmov %%eax, %%eax\nmov %%ecx, %%ecx\nmov %%ecx, %%ecx\n" \
                         "mov %%edx, %%edx\ncld\n1: .byte 0x0f, 0x1f, 0x44, 0, 0\n" TABLE ::)
#define BARE asm volatile(".p2align 4\nmov %%eax, %%eax\nmov %%eax, %%eax\nmov %%ecx, %%ecx\nmov %%ecx, %%ecx\n" \
                          "mov %%edx, %%edx\ncld\n1:\n" TABLE ::)
asm(".pushsection .rodata.places,\"a\"\n.p2align 2\nplaces:\n.popsection");
extern const int places[] __attribute__((visibility("hidden")));
void ext(void);
long patched(int i) { return (long)&places[i] + places[i]; }
void g(void) { ext(); KEY; KEY; ext(); }
#ifdef AFTER
void f(void) { ext(); BARE; ext(); }
#else
void f(void) { ext(); KEY; ext(); }
#endif
void h(void) { ext(); KEY; ext(); }
