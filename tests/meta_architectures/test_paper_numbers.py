"""The parameter counts of the paper's table 1 (80 classes), trunk and RPN included."""

import numpy as np
import pytest

from avatx.core.anchors import GridAnchorGenerator
from avatx.layers.location_embedding import LocationEmbedding
from avatx.meta_architectures.action_faster_rcnn import ActionFasterRCNN
from avatx.meta_architectures.proposal_stage import ProposalStage
from avatx.predictors.tx import Query, TxBoxPredictor, TxOptions
from avatx.trunks.i3d import I3D


def millions(part):
    return sum(int(np.prod(v.shape)) for v in part.trainable_variables) / 1e6


@pytest.mark.parametrize("query, paper", [(Query.LOW_RES, 13.9), (Query.HIGH_RES, 19.3)])
def test_parameters_are_the_papers(query, paper):
    model = ActionFasterRCNN(
        (400, 400),
        I3D(),
        ProposalStage(GridAnchorGenerator([0.25, 0.5, 1.0, 2.0], [0.5, 1.0, 2.0])),
        TxBoxPredictor(80, TxOptions(query=query), location_embedding=LocationEmbedding()),
    )
    model.create_variables()
    assert millions(model.trunk) * 1e6 == 7_518_272 + 4_992
    assert millions(model.proposal_stage) * 1e6 == 3_871_304
    assert abs(millions(model) - paper) < 0.1
