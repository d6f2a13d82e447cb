/**
 * What AWS's SDKs take for throttling, and so every name that a service, or a front of it, may give it: the one list for
 * whoever sorts AWS's errors.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
const THROTTLING: ReadonlySet<string> = new Set([
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);

/** Faults of the service itself that come with a status below 500: nothing is wrong with what was sent. */
const SERVICE_FAULTS: ReadonlySet<string> = new Set([
  'InternalError',
  'InternalFailure',
  'RequestAborted',
  'RequestAbortedException',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
]);

/** Whether an error code of AWS says "too much": a later try is worth while. */
export function isThrottling(code: string): boolean {
  return THROTTLING.has(code);
}

/** Whether an error code of AWS blames the service. */
export function isServiceFault(code: string): boolean {
  return SERVICE_FAULTS.has(code);
}
