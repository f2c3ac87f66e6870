//! Budget and retry as pure state machines, and the client: the door to the network.
