// Two constants change places: both exist before and after, each at the same place of the same pool.
//# not: kernel
//# expect: function f changed constants
double keep(double x) { return x * 1.5 - 2.75; }
#ifdef AFTER
double f(double x) { return x * 2.75 + 1.5; }
#else
double f(double x) { return x * 1.5 + 2.75; }
#endif
