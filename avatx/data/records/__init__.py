"""Records of video: what one holds, which there are to be, writing, finding and counting them."""
