// An exception entry gets another kind; the fixup lies in the function's own section.
//# expect: function f changed sites
#define TRY(kind) asm volatile("1: movl (%0), %%eax\n2:\n.pushsection __ex_table,\"a\"\n.balign 4\n.long 1b - .\n.long 2b - .\n" \
    ".long " #kind "\n.popsection" :: "r"(p) : "eax")
void ext(void);
void g(int *p) { ext(); TRY(1); ext(); }
#ifdef AFTER
void f(int *p) { ext(); TRY(3); ext(); }
#else
void f(int *p) { ext(); TRY(2); ext(); }
#endif
