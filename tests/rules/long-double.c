// A constant of the x87: ten bytes read, sixteen laid down.
//# not: kernel
//# expect: function f changed constants
#ifdef AFTER
long double f(long double x) { return x * 1.1L; }
#else
long double f(long double x) { return x * 1.2L; }
#endif
long double g(long double x) { return x * 1.3L; }
