"""Arora et al. (2019): contrastive pretraining on classes of CIFAR-100."""
