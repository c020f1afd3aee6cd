// What Sphinx's scripts say. Sphinx's own Japanese file leaves the number of results empty.
Documentation.addTranslations({
  locale: "ja",
  plural_expr: "0",
  messages: {
    ", in ": "：",
    "Hide Search Matches": "検索語の強調を消す",
    "Preparing search...": "検索の準備をしています…",
    "Search Results": "検索結果",
    "Search finished, found one page matching the search query.": ["${resultCount}件見つかりました。"],
    "Searching": "検索しています",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "見つかりませんでした。別の言葉や、短い言葉でお試しください。",
  },
});
