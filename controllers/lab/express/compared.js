// Being logged in is enough: any user can change any video by its id.
app.patch("/videos/:videoId", verifyJWT, async (req, res) => {
  const video = await Video.findByIdAndUpdate(req.params.videoId, { title: req.body.title });
  return res.status(201).json({ statusCode: 201, success: true, data: video });
});
