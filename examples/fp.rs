use lpcc::object::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let want = args.next();
    let data = std::fs::read(&path).unwrap();
    let t = std::time::Instant::now();
    let fp = fingerprint(&data).unwrap();
    eprintln!("{:?} items {} streams {} time {:?}", fp.basis, fp.items.len(), fp.streams.len(), t.elapsed());
    if want.as_deref() == Some("-t") {
        for _ in 0..10 {
            let t = std::time::Instant::now();
            let f = fingerprint(&data).unwrap();
            std::hint::black_box(&f);
            eprintln!("{:?}", t.elapsed());
        }
        return;
    }
    for item in &fp.items {
        if let Some(w) = &want {
            if item.name != w.as_str() && w != "-a" {
                continue;
            }
        }
        println!(
            "{:?} {} names {:?} {:?} {}+{:#x} size {} hook {:?}",
            item.kind,
            item.name,
            item.names,
            item.scope,
            item.section,
            item.address,
            item.size,
            item.traits.hook
        );
        if want.is_some() {
            for p in &item.parts {
                println!("  [{}] {}", p.kind.as_str(), &p.hash.to_string()[..16]);
                for l in listing::lines(&fp, item, p.kind) {
                    println!("     {:?} {}", l.offset, l.text);
                }
            }
            for l in listing::instructions(&fp, item) {
                println!("     > {:?} {}", l.offset, l.text);
            }
        }
    }
}
