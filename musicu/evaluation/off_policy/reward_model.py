"""What an action would have earned: a model of the log's rewards, never asked about its own rows.

Reward = link(context + action + position), fitted with a ridge penalty: logistic where rewards are
0 or 1, linear otherwise. Each third of the rounds is predicted by a model of the others
(cross-fitting; Chernozhukov et al., 2018), so that no round's own noise comes back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from scipy.sparse import csr_matrix, diags, hstack

from musicu.evaluation.off_policy.logged_rounds import LoggedRounds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FOLDS = 3
_RIDGE = 1.0


class RewardModel:
    """Fitted to a log's rewards, or to other targets: float64 [rounds]."""

    def __init__(self, rounds: LoggedRounds, targets: Floats, seed: int) -> None:
        self._targets = targets
        self._binary = bool(np.isin(targets, (0.0, 1.0)).all())
        ones = csr_matrix(np.ones((len(rounds), 1)))
        place = _one_hot(rounds.position, rounds.positions)
        self._base = csr_matrix(hstack([ones, rounds.context, place]))
        self._design = csr_matrix(hstack([self._base, _one_hot(rounds.action, rounds.actions)]))
        self.expected = self._cross_fitted(_folds(rounds, seed), rounds.actions)
        """The reward expected of every action at each round's position: [rounds, actions]."""

    def influence(self, probabilities: Floats, used: Floats, logged: Floats) -> Floats:
        """How far each round, through the model, moves an estimate: float64 [rounds], of mean 0.

        The estimate is the mean of sum_a pi(a) q(a) + used (r - q(logged action)); the model's
        coefficients are M-estimators, so that a round moves them by the inverse Hessian times its
        gradient (Stefanski and Boos, 2002). logged: q of the logged action.
        """
        coefficients = self._fit(self._design, self._targets)
        fitted = self._link(self._design @ coefficients)
        slope = fitted * (1 - fitted) if self._binary else np.ones_like(fitted)
        hessian = (self._design.T @ diags(slope) @ self._design).toarray()
        hessian[np.diag_indices_from(hessian)] += self._penalty()
        pull = probabilities * (self.expected * (1 - self.expected) if self._binary else 1.0)
        direction = np.concatenate([self._base.T @ pull.sum(axis=1), pull.sum(axis=0)])
        direction -= self._design.T @ (used * (logged * (1 - logged) if self._binary else 1.0))
        moved = self._design @ np.linalg.solve(hessian, direction)
        result = moved * (self._targets - fitted)
        return np.asarray(result - result.mean())

    def _cross_fitted(self, fold: Ints, actions: int) -> Floats:
        expected = np.empty((len(fold), actions))
        for part in np.unique(fold):
            known, asked = fold != part, fold == part
            found = self._fit(self._design[known], self._targets[known])
            base = self._base[asked] @ found[:-actions]
            expected[asked] = self._link(base[:, None] + found[-actions:])
        return expected

    def _link(self, linear: Floats) -> Floats:
        return np.asarray(special.expit(linear) if self._binary else linear)

    def _penalty(self) -> Floats:
        """The ridge on each coefficient; the first, the intercept, has none to speak of."""
        penalty = np.full(self._design.shape[1], _RIDGE)
        penalty[0] = 1e-9
        return penalty

    def _fit(self, design: csr_matrix, targets: Floats) -> Floats:
        """The coefficients of the least (logistic) loss with half the penalty of their squares."""
        penalty = self._penalty()

        def loss(coefficients: Floats) -> tuple[float, Floats]:
            linear = design @ coefficients
            if self._binary:
                value = float(np.logaddexp(0, linear).sum() - targets @ linear)
            else:
                value = 0.5 * float(np.square(linear - targets).sum())
            gradient = design.T @ (self._link(linear) - targets) + penalty * coefficients
            return value + 0.5 * float(penalty @ np.square(coefficients)), gradient

        mean = float(targets.mean())
        start = np.zeros(design.shape[1])
        start[0] = special.logit(np.clip(mean, 1e-6, 1 - 1e-6)) if self._binary else mean
        found = optimize.minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}
        )
        return np.asarray(found.x)


def _folds(rounds: LoggedRounds, seed: int) -> Ints:
    """A part for each round, the same for all rounds of a cluster where there are several."""
    clusters = int(rounds.cluster.max()) + 1
    of_cluster = rounds.cluster if clusters >= _FOLDS else np.arange(len(rounds))
    parts = np.random.default_rng(seed).permutation(int(of_cluster.max()) + 1) % _FOLDS
    return np.asarray(parts[of_cluster])


def _one_hot(codes: Ints, width: int) -> csr_matrix:
    return csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), width))
