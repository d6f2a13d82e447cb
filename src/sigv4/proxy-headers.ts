/**
 * What proxies, load balancers and service meshes rewrite, add to, or take out: the headers of one hop (RFC 9110 §7.6.1) and
 * of the way (§7.6.3), X-Forwarded-*, those of traces, and what CloudFront makes of a request.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
 */
const PROXY_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'cdn-loop',
  'connection',
  'expect',
  'forwarded',
  'keep-alive',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'true-client-ip',
  'upgrade',
  'user-agent',
  'via',
  'x-amz-cf-id',
  'x-amzn-trace-id',
  'x-client-ip',
  'x-real-ip',
  'x-request-id',
]);

const PROXY_PREFIXES = /^(?:x-forwarded-|x-envoy-|x-b3-|cf-|cloudfront-)[a-z0-9-]{1,40}$/u;

/** More names than this tell nobody more. */
const MOST = 5;

/**
 * A sentence, after a blank, that names the signed headers which a proxy may have changed; empty if there is none.
 *
 * @param signedHeaders names in lower case
 */
export function changedOnTheWay(signedHeaders: readonly string[]): string {
  const names = signedHeaders.filter((name) => PROXY_HEADERS.has(name) || PROXY_PREFIXES.test(name)).slice(0, MOST);
  if (names.length === 0) return '';
  const [are, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return ` ${names.map((name) => `"${name}"`).join(', ')} ${are} signed, and proxies change ${them}; do not sign ${them}.`;
}
