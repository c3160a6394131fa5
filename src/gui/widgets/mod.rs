//! Small controls in the window's style; each has a name that a screen reader can say.
