/**
 * The error codes that AWS's SDKs take for throttling: all names that a service, or a proxy in
 * front of it, may use. This is the one list for all code that sorts AWS's errors.
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

/**
 * Codes that blame the service although their status may be below 500: nothing is wrong with the
 * request.
 */
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

/** Whether an error code of AWS means throttling: trying later is worthwhile. */
export function isThrottling(code: string): boolean {
  return THROTTLING.has(code);
}

/** Whether an error code of AWS blames the service. */
export function isServiceFault(code: string): boolean {
  return SERVICE_FAULTS.has(code);
}

/**
 * Whether DynamoDB refused a query because the table has no such index, as one that Sentinel made
 * may have none.
 */
export function isIndexMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'ValidationException' &&
    /specified index/iu.test(error.message)
  );
}
