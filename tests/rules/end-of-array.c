// A loop ends one past its array; what lies behind it is another matter.
//# expect: data next new
//# allow: function g new
int a[4] = {1, 2, 3, 4};
#ifdef AFTER
int next[2] = {7, 8};
#endif
int b[2] = {5, 6};
int f(void) { int s = 0; for (int *p = a; p != a + 4; p++) s += *p * s; return s; }
