// Two statics of one name change places in their function, and so their numbers; clang's first bears none.
int take(int *);
#ifdef AFTER
int f(int n) { if (n) { static int c = 20; return take(&c) + 3; } else { static int c = 10; return take(&c); } }
#else
int f(int n) { if (!n) { static int c = 10; return take(&c); } else { static int c = 20; return take(&c) + 3; } }
#endif
