//! What the standard library does not offer: the only unsafe code.
