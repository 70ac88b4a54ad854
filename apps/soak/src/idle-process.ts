// A service that verifies one token and then has nothing more to do. It must come to an end by
// itself: it closes nothing.
import { createAuthenticator } from '@latchkey/core';

const [issuer = '', jwksUrl = '', audience = '', token = ''] = process.argv.slice(2);
const authenticator = createAuthenticator({ keySets: [{ issuer, jwksUrl, allowHttp: true }], audience });
await authenticator.verify(token);
console.log('verified');
