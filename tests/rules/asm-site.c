// A special section that no tool has heard of: an entry belongs to the function that it points to.
//# expect: function f changed sites
#define SITE(n) asm volatile("1: nop\n.pushsection .brand_new,\"a\"\n.long 1b - .\n.long " #n "\n.popsection")
void ext(void);
void g(void) { ext(); SITE(1); ext(); }
#ifdef AFTER
void f(void) { ext(); SITE(3); ext(); }
#else
void f(void) { ext(); SITE(2); ext(); }
#endif
void h(void) { ext(); SITE(9); ext(); }
