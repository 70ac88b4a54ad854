// Koa 2 has the types of Koa 3 here: the tests use what both have.
declare module 'koa2' {
  import Koa from 'koa';
  export default Koa;
}
