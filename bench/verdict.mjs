// What a comparison of two versions says.

import { median, round } from './report.mjs'

/**
 * @typedef {'slower' | 'faster' | 'same' | 'unclear'} Verdict
 * @typedef {{ ratio: number, lowest: number, highest: number, verdict: Verdict }} Comparison  ratios: time after over before
 */

/**
 * Compares measurements taken in turns, the i-th of one with the i-th of the other: what the machine did at that time is in
 * both. A change counts where the median ratio is beyond the threshold and every round agrees on its direction; where some
 * round saw the contrary, the spread explains it and it is `unclear`.
 *
 * @param {number[]} before @param {number[]} after  times of one unit, a round each
 * @param {number} threshold  0.1 for 10 %
 * @returns {Comparison}
 */
export function compareTimes(before, after, threshold) {
  const ratios = after.map((time, i) => time / (before[i] ?? NaN))
  const [ratio, lowest, highest] = [median(ratios), Math.min(...ratios), Math.max(...ratios)]
  return {
    ratio: round(ratio),
    lowest: round(lowest),
    highest: round(highest),
    verdict: verdictOf(ratio, lowest, highest, threshold),
  }
}

/** @param {number} ratio @param {number} lowest @param {number} highest @param {number} threshold @returns {Verdict} */
function verdictOf(ratio, lowest, highest, threshold) {
  if (ratio > 1 + threshold) return lowest > 1 ? 'slower' : 'unclear'
  if (ratio < 1 / (1 + threshold)) return highest < 1 ? 'faster' : 'unclear'
  return 'same'
}
