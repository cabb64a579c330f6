// A lambda before another renumbers it; the second is the same.
//# not: kernel
//# flags: -fno-inline
//# expect: function _Z1fi changed
//# allow-new
int ext(int);
int f(int x) {
#ifdef AFTER
    auto first = [](int y) { return ext(y) - 5; };
    x = first(x);
#endif
    auto second = [](int y) { return ext(y) * 3; };
    return second(x);
}
int g(int x) { auto only = [](int y) { return ext(y) + 9; }; return only(x); }
