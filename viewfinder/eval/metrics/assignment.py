"""One-to-one matching of least total cost (the Hungarian method, by shortest augmenting paths)."""

import numpy as np


def assign(costs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, as many as the shorter side has, in order of rows.

    `assign([[4, 1], [2, 9]])` is [(0, 1), (1, 0)].
    """
    matrix = np.asarray(costs, dtype=np.float64)
    if matrix.size == 0:
        return []
    if matrix.shape[0] > matrix.shape[1]:
        return sorted((row, column) for column, row in assign(matrix.T))
    rows, columns = matrix.shape
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, dtype=np.int64)  # 1-based row of each column; column 0 is the one being placed
    for row in range(1, rows + 1):
        owner[0] = row
        column, way = 0, np.zeros(columns + 1, dtype=np.int64)
        slack, used = np.full(columns + 1, np.inf), np.zeros(columns + 1, dtype=bool)
        while owner[column]:
            used[column] = True
            current = owner[column]
            reduced = matrix[current - 1] - row_price[current] - column_price[1:]
            closer = ~used[1:] & (reduced < slack[1:])
            slack[1:][closer], way[1:][closer] = reduced[closer], column
            free = np.where(used, np.inf, slack)
            nearest = 1 + int(np.argmin(free[1:]))
            delta = free[nearest]
            row_price[owner[used]] += delta
            column_price[used] -= delta
            slack[~used] -= delta
            column = nearest
        while column:
            owner[column] = owner[way[column]]
            column = int(way[column])
    return sorted((int(owner[column]) - 1, column - 1) for column in range(1, columns + 1) if owner[column])
