// A new static of the same name above renumbers all that follow.
//# expect: function fresh new
//# expect: data cnt new
#ifdef AFTER
int fresh(void) { static int cnt; return cnt += 3; }
#endif
int f(void) { static int cnt; return ++cnt; }
int g(void) { static int cnt; return --cnt; }
