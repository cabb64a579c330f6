// A 16-byte mask of which only eight bytes are read, beside a vector constant that is read whole.
//# not: kernel
//# expect: function f changed constants
typedef int v4 __attribute__((vector_size(16)));
double g(double x) { return -x; }
#ifdef AFTER
v4 f(v4 x) { return x ^ (v4){1, 2, 3, 5}; }
#else
v4 f(v4 x) { return x ^ (v4){1, 2, 3, 4}; }
#endif
