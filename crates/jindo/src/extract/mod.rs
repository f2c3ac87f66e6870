//! Archive → files. Layout names them, the writers are pure, publish is the door to the disk.
