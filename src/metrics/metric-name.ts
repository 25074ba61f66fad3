/** What the name of every metric begins with. */
export const METRIC_PREFIX = 'sift_run_updater_'
