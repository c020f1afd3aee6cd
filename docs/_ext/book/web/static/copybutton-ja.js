// sphinx-copybutton speaks eight languages, Japanese not among them, and has no setting for it.
// Its words are ordinary globals that are read when the buttons are made, and when one is pressed.
messages.ja = {
  copy: "コピー",
  copy_to_clipboard: "クリップボードにコピー",
  copy_success: "コピーしました",
  copy_failure: "コピーできませんでした",
};
iconCheck = iconCheck.replace(messages[locale].copy_success, messages.ja.copy_success);
iconCopy = iconCopy.replace(messages[locale].copy_to_clipboard, messages.ja.copy_to_clipboard);
locale = "ja";
for (const button of document.querySelectorAll("button.copybtn")) {
  button.dataset.tooltip = messages.ja.copy;
  button.innerHTML = iconCopy;
}
