// A table of functions in another order.
//# flags: -fno-inline
//# expect: data ops changed references,content read by call | data ops changed content read by call
static int one(int x) { return x + 1; }
static int two(int x) { return x + 2; }
struct ops { int (*a)(int); int (*b)(int); };
#ifdef AFTER
struct ops ops = {two, one};
#else
struct ops ops = {one, two};
#endif
int call(int x) { return ops.a(x) + ops.b(x); }
