// An alternative whose replacement instructions lie in a section of their own.
//# expect: function f changed sites | function f changed constants
#define ALT(n) asm volatile("661: nop; nop; nop; nop; nop; 662:\n.pushsection .alts,\"a\"\n.long 661b - .\n.long 663f - .\n" \
    ".byte 7, 5, 5, 0\n.popsection\n.pushsection .alts_code,\"ax\"\n663: movl $" #n ", %%eax\n.popsection" ::: "eax")
void ext(void);
void g(void) { ext(); ALT(1); ext(); }
#ifdef AFTER
void f(void) { ext(); ALT(3); ext(); }
#else
void f(void) { ext(); ALT(2); ext(); }
#endif
