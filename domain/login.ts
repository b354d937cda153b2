import { text } from "./text.ts";

export const LOGIN_NEEDED = text("authentication required", "需要认证");
export const WRONG_LOGIN = text("user name or password is wrong", "用户名或密码错误");

/** The answer of an instance to a wrong login; another instance knows it by its text. */
export const REFUSED_LOGIN = text(
  `${LOGIN_NEEDED.en}: ${WRONG_LOGIN.en}`,
  `${LOGIN_NEEDED.zh}：${WRONG_LOGIN.zh}`,
);
