// A wide string changes in its last character; another function's does not.
//# expect: function f changed strings
//# expect: function g changed strings
//# expect: function h changed strings
#include <stddef.h>
#ifdef AFTER
#define LAST "O"
#else
#define LAST "o"
#endif
void use(const void *);
void f(void) { use(L"hell" LAST); }
void g(void) { use(u"hell" LAST); }
void h(void) { use(U"hell" LAST); }
void same(void) { use(L"hellish"); use(u"hellish"); use(U"hellish"); }
