/** The part of the package that is used, by itself: its index carries the stores of ten databases (100 KiB). */
declare module 'rate-limiter-flexible/lib/RateLimiterMemory.js' {
  export { RateLimiterMemory as default } from 'rate-limiter-flexible';
}
