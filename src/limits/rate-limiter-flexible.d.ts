/**
 * The one file of the package that is used: its index loads the stores of ten databases (100 KiB).
 */
declare module 'rate-limiter-flexible/lib/RateLimiterMemory.js' {
  export { RateLimiterMemory as default } from 'rate-limiter-flexible';
}
