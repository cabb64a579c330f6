// A variable with an initialiser comes in front: clang numbers a function for each, and all name the file's after the first global.
//# allow-new
//# expect: function _GLOBAL__sub_I_first changed code,references | function _GLOBAL__sub_I_first changed code,references,unwinding | function _GLOBAL__sub_I_initialiser_inserted.cc changed code,references | function _GLOBAL__sub_I_initialiser_inserted.cc changed code,references,unwinding
int take(int);
#ifdef AFTER
int first = take(9);
#endif
struct Guard { int k; Guard(int k); ~Guard(); };
static Guard guard(3);
static Guard other(4);
int last = take(5);
int f() { return guard.k + other.k; }
