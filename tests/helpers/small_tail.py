"""Mixed_5b and Mixed_5c, narrow, as an I3D trunk would cut them off."""

from avatx.trunks.i3d import I3DTail


def small_tail(batch_norm="FROZEN", momentum=0.9):
    options = {"batch_norm": batch_norm, "batch_norm_momentum": momentum}
    return I3DTail(("Mixed_5b", "Mixed_5c"), 0.05, options, name="tail")
