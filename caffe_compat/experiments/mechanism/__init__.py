"""Evidence for what spatial regularization does: scenes, nets and controls in which only relative position can help."""
