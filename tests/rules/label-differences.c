// A label table by differences; two entries change places.
//# compilers: gcc
//# expect: data t changed content read by f
int ext(int);
int f(int i) {
#ifdef AFTER
    static const int t[] = {&&a - &&a, &&c - &&a, &&b - &&a};
#else
    static const int t[] = {&&a - &&a, &&b - &&a, &&c - &&a};
#endif
    goto *(&&a + t[i]);
a: return ext(1) + 1;
b: return ext(2) * 2;
c: return ext(3) - 3;
}
