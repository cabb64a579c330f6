// A virtual table gets another function in its last slot.
//# not: kernel
//# flags: -fno-inline
//# expect: data _ZTV1B changed content
//# allow: data _ZTV1B section
//# allow-new
struct A { virtual int one(); virtual int two(); };
struct B : A {
    int one() override;
#ifdef AFTER
    int two() override;
#endif
};
int B::one() { return 1; }
#ifdef AFTER
int B::two() { return 2; }
#endif
A *make() { static B b; return &b; }
