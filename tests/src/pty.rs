//! A pseudo-terminal that looks like a board's serial port.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl, open as open_file};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// Makes a terminal that is found at `port`. Returns the board's end, which does not wait, and the laptop's, to
/// be kept for as long as the board is plugged in: raw from the beginning, so that nothing is echoed to the
/// board, and open, so that a laptop may come and go.
pub fn open(port: &Path) -> (PtyMaster, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("a terminal of this user");
    unlockpt(&master).expect("a terminal of this user");
    let name = ptsname_r(&master).expect("its name");
    let fd = open_file(name.as_str(), flags, Mode::empty()).expect("the other end");
    let mut settings = tcgetattr(fd).expect("its settings");
    cfmakeraw(&mut settings);
    tcsetattr(fd, SetArg::TCSANOW, &settings).expect("a raw terminal");
    let slave = File::open(format!("/proc/self/fd/{fd}")).expect("the other end");
    nix::unistd::close(fd).expect("an open file");
    let flags = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
    fcntl(master.as_raw_fd(), flags).expect("an open file");
    let _ = std::fs::remove_file(port);
    symlink(name, port).expect("a link to the terminal");
    (master, slave)
}
