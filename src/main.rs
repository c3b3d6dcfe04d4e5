fn main() {
    println!("ipvsadm");
}
