"""The paper's figures of single clips (4, 6 and 7), from a trained model or from a csv."""
